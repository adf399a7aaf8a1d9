/** What the place that is written to can show. Decided once, from the streams and the environment. */
import type { Environment } from "../../config/environment.ts";

export interface Terminal {
  /** Whether somebody looks at standard error while we work: progress is redrawn in place. */
  readonly interactive: boolean;
  /** Columns of text on standard output: 60 to 200. */
  readonly columns: number;
  readonly colour: boolean;
  /** Whether characters beyond ASCII arrive as they are. */
  readonly unicode: boolean;
}

export interface Streams {
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: { readonly isTTY?: boolean; readonly columns?: number };
}

const narrowest = 60;
const widest = 200;
const usual = 80;

/** `--no-color` and NO_COLOR beat FORCE_COLOR; a terminal that is `dumb` gets no colour and no redrawing. */
export function describeTerminal(streams: Streams, environment: Environment, noColour: boolean): Terminal {
  const dumb = environment["TERM"] === "dumb";
  return {
    interactive: streams.stderr.isTTY === true && !dumb,
    columns: columnsOf(streams, environment),
    colour: !noColour && wantsColour(streams, environment, dumb),
    unicode: isUnicode(environment),
  };
}

function columnsOf({ stdout, stderr }: Streams, environment: Environment): number {
  const told = Number(environment["COLUMNS"]);
  const columns = Number.isInteger(told) && told > 0 ? told : (stdout.columns ?? stderr.columns ?? usual);
  return Math.min(widest, Math.max(narrowest, columns));
}

function wantsColour(streams: Streams, environment: Environment, dumb: boolean): boolean {
  const no = environment["NO_COLOR"];
  if (no !== undefined && no !== "") return false;
  const force = environment["FORCE_COLOR"];
  if (force !== undefined && force !== "0" && force !== "false") return true;
  return streams.stdout.isTTY === true && !dumb && force === undefined;
}

/** The first that is set decides, as for every program; none is the C locale. macOS and Windows always can. */
function isUnicode(environment: Environment): boolean {
  const locale = [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].find(Boolean);
  if (locale === undefined) return process.platform !== "linux";
  return /utf-?8/i.test(locale);
}
