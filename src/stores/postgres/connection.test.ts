import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { fromUrl, schema } from "./config.ts";
import { resolveConnection, sourceOf, urlParameters } from "./connection.ts";
import { copyColumns, parseCollectionName, collectionName, quoteName } from "./names.ts";
import type { Environment } from "./parameters.ts";

function resolve(url: string, environment: Environment = {}): ReturnType<typeof resolveConnection> {
  return resolveConnection(schema.parse({ url }), { HOME: "/nowhere", ...environment });
}

describe("where a database is", () => {
  test.each([
    ["postgresql://u:p%40%2F@h:1/d", { user: "u", password: "p@/", host: "h", port: "1", dbname: "d" }],
    ["postgres:///d?host=/var/run&sslmode=require", { dbname: "d", host: "/var/run", sslmode: "require" }],
    ["postgresql://%2Ftmp:5433/d", { host: "/tmp", port: "5433", dbname: "d" }],
    ["postgresql://[::1]:5/d", { host: "::1", port: "5", dbname: "d" }],
    ["postgresql://a:1,b:2/d", { host: "a,b", port: "1,2", dbname: "d" }],
    ["postgresql://u:p@@h/d", { user: "u", password: "p@", host: "h", dbname: "d" }],
    ["postgresql://u:a:b@h", { user: "u", password: "a:b", host: "h" }],
    ["postgresql://", {}],
  ])("%s", (url, expected) => {
    expect(urlParameters(url)).toEqual(expected);
  });

  it.each(["postgresql://h:port/d", "postgresql://u:100%@h/d", "postgresql://h/d?sslmode=on"])(
    "refuses %s without repeating it",
    (url) => {
      const refused = ((): unknown => {
        try {
          return resolve(url);
        } catch (error) {
          return error;
        }
      })();
      expect(refused).toMatchObject({ code: "CONFIG_INVALID" });
      expect(String(refused)).not.toContain("100%@");
      expect(String(refused)).not.toContain("p@");
    },
  );

  it("refuses another scheme without repeating it", () => {
    expect(() => fromUrl("mysql://u:secret@h/d")).toThrow(/postgresql:\/\//);
    expect(() => fromUrl("mysql://u:secret@h/d")).not.toThrow(/secret/);
  });

  it("takes what the URL leaves out from the variables, and names it without the password", () => {
    const found = resolve("postgresql://h", {
      PGUSER: "u v",
      PGDATABASE: "d/e",
      PGPORT: "7",
      PGPASSWORD: "secret",
    });
    expect(found).toMatchObject({
      user: "u v",
      database: "d/e",
      hosts: [{ host: "h", port: 7 }],
      password: "secret",
    });
    expect(sourceOf(found)).toBe("postgresql://u%20v@h:7/d%2Fe");
    expect(JSON.stringify(found.parameters)).not.toContain("secret");
  });

  it("tries several hosts, with one port or one each", () => {
    expect(resolve("postgresql://a,b:2/d").hosts).toEqual([
      { host: "a", port: 5432 },
      { host: "b", port: 2 },
    ]);
    expect(resolve("postgresql://a,b/d", { PGPORT: "9" }).hosts.map(({ port }) => port)).toEqual([9, 9]);
  });

  describe("files of the user's", () => {
    let folder: string;
    beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "memkeep-passfile-"))));
    afterAll(() => rm(folder, { recursive: true }));

    it("finds the password in the pass file, and refuses one that others may read", async () => {
      const file = join(folder, "pass");
      await writeFile(file, "# comment\nother:*:*:*:no\nh:5432:d:u:a\\:b\\\\c:d\n*:*:*:*:any\n", {
        mode: 0o600,
      });
      const environment = { PGPASSFILE: file };
      expect(resolve("postgresql://u@h/d", environment).password).toBe("a:b\\c:d");
      expect(resolve("postgresql://x@h/d", environment).password).toBe("any");
      await chmod(file, 0o644);
      expect(() => resolve("postgresql://u@h/d", environment)).toThrow(/chmod 600/);
    });

    it("finds a service, which the URL and the environment can name", async () => {
      const file = join(folder, "services");
      await writeFile(file, "[other]\nhost=no\n[mine]\nhost = h2\nport=6000\nuser=su\ndbname=sd\n");
      const environment = { PGSERVICEFILE: file, PGSERVICE: "mine", PGUSER: "env" };
      expect(resolve("postgresql://", environment)).toMatchObject({
        database: "sd",
        user: "su",
        hosts: [{ host: "h2", port: 6000 }],
      });
      expect(resolve("postgresql:///d2?service=other", environment)).toMatchObject({
        database: "d2",
        hosts: [{ host: "no" }],
      });
      expect(() => resolve("postgresql://?service=lost", environment)).toThrow(/"lost" is neither in/);
    });
  });
});

describe("names", () => {
  it("a collection's name means one table", () => {
    const name = fc.string({ minLength: 1, unit: "binary" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(name, name, (schemaName, table) => {
        expect(parseCollectionName(collectionName(schemaName, table))).toEqual({ schema: schemaName, table });
      }),
    );
  });

  it("the columns of a COPY statement are read back, whatever their names", () => {
    const name = fc.string({ minLength: 1, unit: "binary" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(name, fc.array(name), (table, columns) => {
        const list = columns.length === 0 ? "" : `(${columns.map(quoteName).join(", ")})`;
        expect(copyColumns(`COPY public.${quoteName(table)} ${list} FROM stdin;\n`)).toEqual(columns);
      }),
    );
  });
});
