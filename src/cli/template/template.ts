/**
 * Go's text/template, as far as `--format` uses it: fields, pipelines, variables, if, range, with, break,
 * continue, comparison, printf and Docker's functions; white space trimming and Go's wording of errors.
 */
import { invalidParameter, messageOf } from "../../base/errors.ts";
import { functions } from "./functions.ts";
import type { Call, Node, Operand, Pipeline, Place } from "./nodes.ts";
import { parseTemplate } from "./parser.ts";
import { Computed, isGoMap, isRecord, isTrue, Nil, show } from "./values.ts";

export { Computed } from "./values.ts";

/** What a field that is not there gives: Go's typed structs know more fields than a JSON document shows. */
export type Absent = (path: readonly string[]) => unknown;

/** Thrown through the nodes of a loop's body. */
class LoopJump {
  readonly kind: "break" | "continue";
  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

const none: unique symbol = Symbol("no final argument");

interface Scope {
  readonly names: Map<string, unknown>;
  readonly parent: Scope | undefined;
}

class Run {
  readonly #absent: Absent | undefined;
  #scope: Scope;
  readonly #root: unknown;
  output = "";

  constructor(root: unknown, absent: Absent | undefined) {
    this.#root = root;
    this.#absent = absent;
    this.#scope = { names: new Map([["$", root]]), parent: undefined };
  }

  nodes(nodes: readonly Node[], dot: unknown): void {
    for (const node of nodes) this.#node(node, dot);
  }

  #node(node: Node, dot: unknown): void {
    switch (node.kind) {
      case "text":
        this.output += node.text;
        return;
      case "output": {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.assignment === undefined) this.output += show(value);
        return;
      }
      case "break":
      case "continue":
        throw new LoopJump(node.kind);
      case "range":
        this.#scoped(() => this.#range(node, dot));
        return;
      case "if":
      case "with":
        this.#scoped(() => {
          const value = this.#pipeline(node.pipeline, dot);
          if (isTrue(value)) this.nodes(node.body, node.kind === "with" ? value : dot);
          else this.nodes(node.otherwise, dot);
        });
    }
  }

  #scoped(body: () => void): void {
    const outer = this.#scope;
    this.#scope = { names: new Map(), parent: outer };
    try {
      body();
    } finally {
      this.#scope = outer;
    }
  }

  #range(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: unknown): void {
    const { assignment, calls } = node.pipeline;
    const value = this.#pipeline({ assignment: undefined, calls }, dot);
    const entries: (readonly [unknown, unknown])[] = Array.isArray(value)
      ? value.map((one, at) => [at, one] as const)
      : typeof value === "number"
        ? Array.from({ length: value }, (_, at) => [at, at] as const)
        : isRecord(value)
          ? Object.keys(value)
              .sort()
              .map((key) => [key, value[key]] as const)
          : [];
    if (entries.length === 0 && value !== null && value !== undefined && typeof value !== "object" && typeof value !== "number")
      throw invalidParameter(`template: :1:2: executing "" at <${textOf(node.pipeline)}>: range can't iterate over ${show(value)}`);
    if (entries.length === 0) this.nodes(node.otherwise, dot);
    for (const [key, one] of entries) {
      const names = assignment?.names ?? [];
      for (const [at, name] of names.entries()) {
        const given = names.length === 2 && at === 0 ? key : one;
        if (assignment?.declares === true) this.#scope.names.set(name, given);
        else this.#assign(name, given);
      }
      try {
        this.#scoped(() => this.nodes(node.body, one));
      } catch (jump) {
        if (!(jump instanceof LoopJump)) throw jump;
        if (jump.kind === "break") return;
      }
    }
  }

  #assign(name: string, value: unknown): void {
    for (let scope: Scope | undefined = this.#scope; scope !== undefined; scope = scope.parent)
      if (scope.names.has(name)) {
        scope.names.set(name, value);
        return;
      }
  }

  #variable(name: string): unknown {
    for (let scope: Scope | undefined = this.#scope; scope !== undefined; scope = scope.parent)
      if (scope.names.has(name)) return scope.names.get(name);
    return undefined;
  }

  #pipeline(pipeline: Pipeline, dot: unknown): unknown {
    let value: unknown = none;
    for (const call of pipeline.calls) value = this.#call(call, dot, value);
    const { assignment } = pipeline;
    if (assignment !== undefined)
      for (const name of assignment.names) {
        if (assignment.declares) this.#scope.names.set(name, value);
        else this.#assign(name, value);
      }
    return value;
  }

  #call(call: Call, dot: unknown, final: unknown): unknown {
    const [first, ...rest] = call.operands;
    if (first === undefined) return undefined;
    if (first.kind === "function") return this.#function(first, rest, dot, final);
    const value = this.#operand(first, dot);
    const extra = final === none ? [] : [final];
    if (typeof value === "function") {
      const args = [...rest.map((operand) => this.#operand(operand, dot)), ...extra];
      if (args.length !== value.length) {
        const name = first.text.slice(first.text.lastIndexOf(".") + 1);
        const count = `want ${value.length} got ${args.length}`;
        throw invalidParameter(`template: :1:2: executing "" at <${first.text}>: wrong number of args for ${name}: ${count}`);
      }
      return value(...args);
    }
    if (rest.length > 0 || extra.length > 0)
      throw invalidParameter(`template: :1:2: executing "" at <${first.text}>: can't give argument to non-function ${first.text}`);
    return value;
  }

  #function(first: Extract<Operand, { kind: "function" }>, rest: readonly Operand[], dot: unknown, final: unknown): unknown {
    const { name, place } = first;
    // Go evaluates the operands of and/or only until the answer is known.
    if (name === "and" || name === "or") {
      let value: unknown;
      for (const operand of rest) {
        value = this.#operand(operand, dot);
        if (isTrue(value) === (name === "or")) return value;
      }
      return final === none ? value : final;
    }
    const args = rest.map((operand) => this.#operand(operand, dot));
    if (final !== none) args.push(final);
    try {
      return functions[name]?.(...args);
    } catch (error) {
      const at = [first.text, ...rest.map((operand) => operand.text)].join(" ");
      throw invalidParameter(
        `template: :${place.line}:${place.column}: executing "" at <${at}>: error calling ${name}: ${messageOf(error)}`,
      );
    }
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "variable":
        return this.#variable(operand.name);
      case "function":
        return this.#function(operand, [], dot, none);
      case "pipeline":
        return this.#pipeline(operand.pipeline, dot);
      case "chain":
        return this.#chain(operand, this.#operand(operand.of, dot));
    }
  }

  #chain(operand: Extract<Operand, { kind: "chain" }>, from: unknown): unknown {
    let value = from;
    const path: string[] = [];
    let at: Place = { line: 1, column: 0 };
    const fail = (why: string): Error => invalidParameter(`template: :${at.line}:${at.column}: executing "" at <${operand.text}>: ${why}`);
    let absent: Place | undefined;
    for (const { name, place } of operand.fields) {
      at = absent ?? place;
      path.push(name);
      if (value instanceof Computed) {
        if (!value.has(name)) throw fail(`can't evaluate field ${name} in type *${value.typeName}`);
        value = value.get(name);
      } else if (value === null || value === undefined || value instanceof Nil) {
        if (absent !== undefined) this.#missing(path.at(-2) ?? "", fail);
        throw fail(`nil pointer evaluating interface {}.${name}`);
      } else if (isRecord(value)) {
        if (Object.hasOwn(value, name)) value = value[name];
        else if (isGoMap(value)) value = undefined;
        else {
          value = from === this.#root ? this.#absentValue(path, fail) : this.#missing(name, fail);
          absent = place;
        }
      } else {
        throw fail(`can't evaluate field ${name} in type ${Array.isArray(value) ? "[]interface {}" : typeof value}`);
      }
    }
    return value;
  }

  #missing(name: string, fail: (why: string) => Error): never {
    throw fail(`map has no entry for key "${name}"`);
  }

  #absentValue(path: readonly string[], fail: (why: string) => Error): unknown {
    const value = this.#absent?.(path);
    return value === undefined ? this.#missing(path.at(-1) ?? "", fail) : value;
  }
}

function textOf(pipeline: Pipeline): string {
  return pipeline.calls.map((call) => call.operands.map((operand) => operand.text).join(" ")).join(" | ");
}

export interface Template {
  /** @throws InvalidParameter with Go's wording */
  execute(value: unknown, absent?: Absent): string;
  /** Whether a field of this name is read anywhere. */
  uses(field: string): boolean;
}

/** @throws InvalidParameter with Go's wording */
export function compileTemplate(source: string): Template {
  const nodes = parseTemplate(source, (name) => Object.hasOwn(functions, name));
  return {
    execute(value, absent) {
      const run = new Run(value, absent);
      run.nodes(nodes, value);
      return run.output;
    },
    uses: (field) => new RegExp(`\\.${field}\\b|\\bjson \\.(?!\\w)`).test(source),
  };
}
