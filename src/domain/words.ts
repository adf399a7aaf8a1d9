/** Sizes, counts, times and ages as people say them. */

const sizeUnits = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** `512 bytes`, `2.5 MB`, `130 GB`: three digits at the most, powers of 1000 as disks and bills count. */
export function sizeText(sizeBytes: number): string {
  let amount = sizeBytes;
  let unit = 0;
  while (amount >= 999.5 && unit < sizeUnits.length - 1) {
    amount /= 1000;
    unit++;
  }
  if (unit === 0) return amount === 1 ? "1 byte" : `${amount} bytes`;
  return `${amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${sizeUnits[unit]!}`;
}

/** `1,234,567`. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 record`, `1,234 records`. */
export function amountText(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** How long something took: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function durationText(durationMs: number): string {
  if (durationMs < 9950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago: `just now`, `5 min ago`, `3 h ago`, `2 days ago`; a time to come says so, since then a clock is wrong. */
export function ageText(timeMs: number, nowMs: number): string {
  const ageMs = nowMs - timeMs;
  if (ageMs < -60_000) return `in the future`;
  if (ageMs < 60_000) return "just now";
  const minutes = Math.floor(ageMs / 60_000);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ago`;
  const days = Math.floor(hours / 24);
  if (days < 60) return `${days} days ago`;
  if (days < 730) return `${Math.floor(days / 30)} months ago`;
  return `${Math.floor(days / 365)} years ago`;
}

/** Local time to the minute: `2026-11-20 02:00`, in the form that `--at` takes. */
export function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return "unknown";
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}

/** The part of an id that people type. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
