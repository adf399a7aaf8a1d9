/** The service file (https://www.postgresql.org/docs/18/libpq-pgservice.html): sections of `parameter=value`. */
import { homedir } from "node:os";
import { join } from "node:path";
import { type Environment, type Parameters, invalid, textFile } from "./parameters.ts";

/** The parameters of a service. `CONFIG_INVALID` when no file has it. */
export function serviceParameters(service: string, environment: Environment): Parameters {
  const own = environment["PGSERVICEFILE"] ?? join(environment["HOME"] ?? homedir(), ".pg_service.conf");
  const common = join(environment["PGSYSCONFDIR"] ?? "/etc/postgresql-common", "pg_service.conf");
  for (const path of [own, common]) {
    const found = section(textFile(path) ?? "", service);
    if (found) return found;
  }
  throw invalid(`the service ${JSON.stringify(service)} is neither in ${own} nor in ${common}`);
}

function section(text: string, service: string): Parameters | undefined {
  let found: Parameters | undefined;
  let isInside = false;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const heading = /^\[(.*)\]$/.exec(line);
    if (heading) {
      isInside = heading[1] === service;
      if (isInside) found ??= {};
    } else if (isInside) {
      const equals = line.indexOf("=");
      if (equals < 0) throw invalid(`the service ${service} has a line without =`);
      found![line.slice(0, equals).trim()] = line.slice(equals + 1).trim();
    }
  }
  return found;
}
