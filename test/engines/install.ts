/**
 * `node test/engines/install.ts [name…]` installs the named engines, or all, into the cache. One line each with the
 * time it took; ends with 1 when one of them cannot be had.
 */
import { programs, servers } from "./registry.ts";

const engines = new Map<string, () => Promise<unknown>>([
  ...Object.entries(programs),
  ...Object.entries(servers).map(([name, server]) => [name, () => server.ensure()] as const),
]);
const wanted = process.argv.length > 2 ? process.argv.slice(2) : [...engines.keys()];

for (const name of wanted) {
  const ensure = engines.get(name);
  if (!ensure) {
    process.stderr.write(`${name}: there is no such engine; there are ${[...engines.keys()].join(", ")}\n`);
    process.exitCode = 64;
    break;
  }
  const started = performance.now();
  try {
    await ensure();
    process.stdout.write(`${name}: installed, ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  } catch (error) {
    process.stderr.write(`${name}: missing: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
