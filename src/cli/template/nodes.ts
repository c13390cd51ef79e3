/** A parsed Go template. `at`: column of the action (bytes from 1) and line, for messages. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Field {
  readonly name: string;
  readonly place: Place;
}

export type Operand =
  | { readonly kind: "literal"; readonly value: unknown; readonly text: string }
  | { readonly kind: "dot"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string; readonly text: string }
  | { readonly kind: "function"; readonly name: string; readonly text: string; readonly place: Place }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline; readonly text: string }
  | { readonly kind: "chain"; readonly of: Operand; readonly fields: readonly Field[]; readonly text: string };

export interface Call {
  readonly operands: readonly Operand[];
}

/** `$x := …`, `$i, $v = …`. */
export interface Assignment {
  readonly names: readonly string[];
  readonly declares: boolean;
}

export interface Pipeline {
  readonly assignment: Assignment | undefined;
  readonly calls: readonly Call[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "break" | "continue" };
