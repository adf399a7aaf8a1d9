/**
 * Where a database is and how to get in, worked out as libpq does
 * (https://www.postgresql.org/docs/18/libpq-connect.html): the URL, then the service, then the `PG*` variables, then
 * defaults; the password at last from the pass file.
 */
import { existsSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { PostgresConfig } from "./config.ts";
import { type Environment, type Parameters, invalid } from "./parameters.ts";
import { passwordFromFile } from "./pass-file.ts";
import { serviceParameters } from "./service-file.ts";

export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

export interface Connection {
  /** A name, an address, or the folder of a socket. Several are tried in order. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly user: string;
  readonly database: string;
  readonly password: string | undefined;
  readonly sslMode: SslMode;
  /** All parameters, without the password, for the `PG*` variables of child processes. */
  readonly parameters: Readonly<Parameters>;
}

const sslModes: readonly string[] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** libpq's parameter → its environment variable. */
export const variables: Readonly<Record<string, string>> = {
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  channel_binding: "PGCHANNELBINDING",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  sslmode: "PGSSLMODE",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslrootcert: "PGSSLROOTCERT",
  sslcrl: "PGSSLCRL",
  sslsni: "PGSSLSNI",
  sslnegotiation: "PGSSLNEGOTIATION",
  gssencmode: "PGGSSENCMODE",
  connect_timeout: "PGCONNECT_TIMEOUT",
  target_session_attrs: "PGTARGETSESSIONATTRS",
};

/** Works out the connection. `CONFIG_INVALID` for what cannot be one; no error holds the URL or the password. */
export function resolveConnection(config: PostgresConfig, environment: Environment): Connection {
  const fromUrl = urlParameters(config.url);
  const service = fromUrl["service"] ?? environment["PGSERVICE"];
  const parameters: Parameters = {
    ...environmentParameters(environment),
    ...(service === undefined ? {} : serviceParameters(service, environment)),
    ...fromUrl,
  };
  delete parameters["service"];
  if (config.password !== undefined) parameters["password"] = config.password;
  const user = parameters["user"] ?? userInfo().username;
  const database = parameters["dbname"] ?? user;
  const sslMode = parameters["sslmode"] ?? "prefer";
  if (!sslModes.includes(sslMode)) {
    throw invalid(`sslmode ${JSON.stringify(sslMode)} is not one of ${sslModes.join(", ")}`);
  }
  const hosts = hostList(parameters);
  const password =
    parameters["password"] ??
    passwordFromFile(
      parameters["passfile"] ?? join(environment["HOME"] ?? homedir(), ".pgpass"),
      hosts[0]!,
      database,
      user,
    );
  const { password: _, passfile: __, ...open } = parameters;
  return { hosts, user, database, password, sslMode: sslMode as SslMode, parameters: open };
}

/** The same server, another database. */
export function withDatabase(connection: Connection, database: string): Connection {
  return { ...connection, database };
}

function environmentParameters(environment: Environment): Parameters {
  const found: Parameters = {};
  for (const [parameter, variable] of Object.entries(variables)) {
    const value = environment[variable];
    if (value !== undefined && value !== "") found[parameter] = value;
  }
  return found;
}

/** `postgresql://[user[:password]@][host][:port][,…][/database][?parameter=value…]`. */
export function urlParameters(url: string): Parameters {
  const match = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(url);
  if (!match) throw invalid("the URL is not postgresql://user@host:5432/database");
  const [, who, where = "", database = "", query = ""] = match;
  const found: Parameters = {};
  if (who !== undefined) {
    const colon = who.indexOf(":");
    const user = colon < 0 ? who : who.slice(0, colon);
    if (user !== "") found["user"] = decode(user);
    if (colon >= 0) found["password"] = decode(who.slice(colon + 1));
  }
  const places = where.split(",").map((place) => /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(place));
  if (places.some((place) => !place)) throw invalid("the URL's host is not host:port");
  const names = places.map((place) => decode(place![1]!).replace(/^\[(.*)\]$/, "$1"));
  const ports = places.map((place) => place![2] ?? "");
  if (names.some((name) => name !== "")) found["host"] = names.join(",");
  if (ports.some((port) => port !== "")) found["port"] = ports.join(",");
  if (database !== "") found["dbname"] = decode(database);
  for (const pair of query.split("&").filter((pair) => pair !== "")) {
    const [name = "", ...rest] = pair.split("=");
    found[decode(name)] = decode(rest.join("="));
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("the URL has a % that does not begin an encoded character; write it as %25");
  }
}

function hostList(parameters: Parameters): { host: string; port: number }[] {
  const names = (parameters["host"] ?? parameters["hostaddr"] ?? "").split(",");
  const ports = (parameters["port"] ?? "").split(",");
  return names.map((name, place) => {
    const text = ports.length === 1 ? ports[0]! : (ports[place] ?? "");
    const port = text === "" ? 5432 : Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalid("the port is not a number up to 65535");
    return { host: name === "" ? defaultHost(port) : name, port };
  });
}

/** libpq's own default is its build's socket folder; Debian's and upstream's are tried, as it is not known here. */
function defaultHost(port: number): string {
  const folders = ["/var/run/postgresql", "/tmp"];
  return folders.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) ?? "localhost";
}

/** Where it is, for people: without the password. */
export function sourceOf(connection: Connection): string {
  const [place] = connection.hosts;
  const host = place!.host.startsWith("/") ? encodeURIComponent(place!.host) : place!.host;
  const name = encodeURIComponent(connection.database);
  return `postgresql://${encodeURIComponent(connection.user)}@${host}:${place!.port}/${name}`;
}
