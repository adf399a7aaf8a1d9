/**
 * The environment of PostgreSQL's programs. Where to connect and the password stand in it and nowhere else: arguments
 * can be seen by every user of the machine (law 10).
 */
import { textSettings } from "./client.ts";
import { type Connection, variables } from "./connection.ts";
import type { Environment } from "./parameters.ts";

/** What a program needs of ours besides: where it finds libraries, other programs and the user's certificates. */
const inherited = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "LD_LIBRARY_PATH", "LANG"];

/** `settings` are laid over those that keep the text of values the same. */
export function childEnvironment(
  connection: Connection,
  environment: Environment,
  settings: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of inherited) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [parameter, value] of Object.entries(connection.parameters)) {
    const variable = variables[parameter];
    if (variable !== undefined) env[variable] = value;
  }
  const [place] = connection.hosts;
  const options = Object.entries({ ...textSettings, ...settings }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, String.raw`\$&`)}`,
  );
  env["PGHOST"] = place!.host;
  env["PGPORT"] = String(place!.port);
  env["PGUSER"] = connection.user;
  env["PGDATABASE"] = connection.database;
  env["PGSSLMODE"] = connection.sslMode;
  env["PGOPTIONS"] = [env["PGOPTIONS"], ...options].filter((option) => option !== undefined).join(" ");
  if (connection.password !== undefined) env["PGPASSWORD"] = connection.password;
  // A pass file could only give another password than the one that worked.
  // A path that cannot be: libpq is silent about a missing file, and warns of one like /dev/null.
  env["PGPASSFILE"] = "/dev/null/none";
  delete env["PGHOSTADDR"];
  return env;
}

/** A connection string that names a database and nothing else, for programs that take it as an argument only. */
export function databaseArgument(database: string): string {
  return `dbname='${database.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
