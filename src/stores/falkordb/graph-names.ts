/** The numbers that compact answers use in place of labels, types and property names. */
import { isUtf8 } from "node:buffer";
import { MemkeepError } from "../../domain/errors.ts";
import { compareUtf8 } from "../format/value.ts";
import type { Session } from "./client.ts";
import type { Reply } from "./resp.ts";

/** Thrown when a name came into being after the names were read (only in a live graph). */
export class NameUnknown extends Error {
  override readonly name = "NameUnknown";
}

export interface Names {
  label(id: number): string;
  type(id: number): string;
  property(id: number): string;
  /** All of each, in the order of their UTF-8 bytes, those without users as well. */
  readonly labels: readonly string[];
  readonly types: readonly string[];
  readonly properties: readonly string[];
}

/** `collect` gives one row, so that `RESULTSET_SIZE` cannot cut it. */
export async function readNames(session: Session, graph: Uint8Array): Promise<Names> {
  const [labels, types, properties] = [
    await session.scalar(graph, "CALL db.labels() YIELD label RETURN collect(label)"),
    await session.scalar(
      graph,
      "CALL db.relationshipTypes() YIELD relationshipType RETURN collect(relationshipType)",
    ),
    await session.scalar(graph, "CALL db.propertyKeys() YIELD propertyKey RETURN collect(propertyKey)"),
  ].map((reply) => texts(reply));
  return {
    label: (id) => named(labels!, id),
    type: (id) => named(types!, id),
    property: (id) => named(properties!, id),
    labels: labels!.toSorted(compareUtf8),
    types: types!.toSorted(compareUtf8),
    properties: properties!.toSorted(compareUtf8),
  };
}

function named(names: readonly string[], id: number): string {
  const name = names[id];
  if (name === undefined) throw new NameUnknown();
  return name;
}

/** The strings of a compact list `[6, [[2, …], …]]`. */
function texts(reply: Reply): string[] {
  const [, items] = reply as [Reply, readonly (readonly [Reply, Buffer])[]];
  return items.map(([, bytes]) => {
    if (isUtf8(bytes)) return bytes.toString("utf8");
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: "read the graph's labels, types and property names",
      happened: "one of them is not UTF-8",
    });
  });
}
