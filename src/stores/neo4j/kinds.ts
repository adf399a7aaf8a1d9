/** How nodes and relationships are asked for. Fields alone: a node of the driver carries texts of 40 characters that nobody needs. */
import type { Record as Row } from "neo4j-driver";
import { sortNames } from "../format/json-write.ts";
import type { GraphEdge, GraphNode } from "../graph/records.ts";
import type { SweepKind } from "./sweep.ts";
import { propertiesOf } from "./values.ts";

export const nodeKind: SweepKind<GraphNode> = {
  pattern: "(n)",
  columns: "id(n), labels(n), properties(n)",
  decode(row: Row, broken: string[]): GraphNode {
    const labels = row.get(1) as string[];
    sortNames(labels);
    return {
      id: Number(row.get(0)),
      labels,
      properties: propertiesOf(row.get(2) as object as Properties, broken),
    };
  },
};

export const edgeKind: SweepKind<GraphEdge> = {
  pattern: "(s)-[n]->(t)",
  columns: "id(n), id(s), type(n), id(t), properties(n)",
  decode: (row: Row, broken: string[]): GraphEdge => ({
    id: Number(row.get(0)),
    source: Number(row.get(1)),
    type: row.get(2) as string,
    target: Number(row.get(3)),
    properties: propertiesOf(row.get(4) as object as Properties, broken),
  }),
};

type Properties = Readonly<Record<string, unknown>>;
