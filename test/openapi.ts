/**
 * Holds answers against Docker's own description of the Engine API (Swagger 2.0).
 *
 * Two things the description does not say are added: Go sends a list or a map that is not there as null, and a
 * field that is not described is a mistake of ours. Fields of older versions that Docker still sends are listed.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Ajv2019 as Ajv, type ValidateFunction } from "ajv/dist/2019.js";
import { parse } from "yaml";

export const descriptionPath: string = resolve(import.meta.dirname, "../../shared/data/docker-engine-api-v1.51.yaml");

type Json = { readonly [key: string]: unknown };

/** Sent by dockerd though the description of this version has them no more, or not yet. */
const undescribed: Readonly<Record<string, readonly string[]>> = {
  EventMessage: ["status", "id", "from"],
};

/** Not set is null in Docker's answers, whatever the description says. */
const nullWhenUnset: readonly string[] = ["MemorySwappiness", "OomKillDisable", "PidsLimit", "Init", "ExitCode"];

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

const nullable = (schema: Json): Json => ({ anyOf: [schema, { type: "null" }] });

/** A described type is there twice: open, to be a part of others, and closed, where nothing may be added. */
const closedName = (name: string): string => `${name}.closed`;

const nameOf = (reference: string): string => reference.replace("#/definitions/", "");

function convertProperties(schema: Json): Json {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => {
      const converted = convert(property as Json);
      return [name, nullWhenUnset.includes(name) ? nullable(converted) : converted];
    }),
  );
}

/** One schema of the description as JSON schema, all but its own closedness. */
function open(schema: Json): Json {
  const { allOf, properties: _, additionalProperties, items, format, ...rest } = schema;
  const kept = Object.fromEntries(
    Object.entries(rest).filter(([key]) => ["type", "enum", "required", "pattern", "minimum", "maximum"].includes(key)),
  );
  // ImageManifestSummary.ImageData requires a property that it does not have.
  const { properties } = schema;
  if (isObject(properties) && Array.isArray(kept["required"]))
    kept["required"] = kept["required"].filter((name: string) => name in properties || Array.isArray(allOf));
  return {
    ...kept,
    ...(format === "dateTime" || format === "date-time" ? { format: "moment" } : {}),
    ...(schema["properties"] === undefined ? {} : { properties: convertProperties(schema) }),
    ...(isObject(additionalProperties) ? { additionalProperties: convert(additionalProperties) } : {}),
    ...(isObject(items) ? { items: convert(items) } : {}),
    ...(Array.isArray(allOf)
      ? { allOf: allOf.map((part: Json) => (typeof part["$ref"] === "string" ? { $ref: part["$ref"] } : open(part))) }
      : {}),
  };
}

/** As it stands where a value is expected. */
function convert(schema: Json): Json {
  if (typeof schema["$ref"] === "string") return { $ref: `#/definitions/${closedName(nameOf(schema["$ref"]))}` };
  const isRecord = schema["properties"] !== undefined || schema["allOf"] !== undefined;
  const closed =
    isRecord && schema["additionalProperties"] === undefined ? { ...open(schema), unevaluatedProperties: false } : open(schema);
  const { enum: values, ...unlisted } = closed as { enum?: unknown };
  // An enumeration that may be null does not list it.
  if (schema["x-nullable"] === true) return nullable(values === undefined ? closed : { ...unlisted, enum: values });
  const isCollection = schema["type"] === "array" || isObject(schema["additionalProperties"]);
  return isCollection ? nullable(closed) : closed;
}

function closedDefinition(name: string, schema: Json): Json {
  const extra = Object.fromEntries((undescribed[name] ?? []).map((field) => [field, {}]));
  const isRecord = schema["properties"] !== undefined || schema["allOf"] !== undefined;
  const closed = isRecord && schema["additionalProperties"] === undefined;
  const definition = { allOf: [{ $ref: `#/definitions/${name}` }], ...(closed ? { properties: extra, unevaluatedProperties: false } : {}) };
  const isCollection = schema["type"] === "array" || isObject(schema["additionalProperties"]);
  return schema["x-nullable"] === true || isCollection ? nullable(definition) : definition;
}

/** `/containers/{id}/json` as a pattern. Names of images have slashes in them. */
function pathPattern(template: string): RegExp {
  return new RegExp(`^${template.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{\w+\}/g, ".+")}$`);
}

const plainPath = (path: string): string => path.replace(/^\/v[\d.]+(?=\/)/, "").replace(/\?.*$/, "");

/** The first version whose answers have no fields but the described ones. */
const oldestExact = 50;

function minorOf(path: string): number {
  const minor = /^\/v1\.(\d+)\//.exec(path)?.[1];
  return minor === undefined ? Number.POSITIVE_INFINITY : Number(minor);
}

/** The same without any closed type. */
function opened(schema: Json): Json {
  const open = (value: unknown): unknown => (Array.isArray(value) ? value.map(open) : isObject(value) ? opened(value) : value);
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(key === "unevaluatedProperties" && value === false))
      .map(([key, value]) => [key, open(value)]),
  );
}

/** Any endpoint of Docker's answers so, whatever is described: to bad parameters, what is not there, states that forbid it. */
const refusals: readonly number[] = [400, 403, 404, 409, 501, 503];
const refusal: { readonly schema: Json } = { schema: { $ref: "#/definitions/ErrorResponse" } };

export class ApiDescription {
  readonly #paths: readonly { readonly template: string; readonly pattern: RegExp; readonly operations: Json }[];
  readonly #definitions: Json;
  readonly #ajv: Ajv = new Ajv({ strict: false, allErrors: true });
  readonly #validators: Map<unknown, ValidateFunction> = new Map();
  /** For answers of older versions, which may have fields that are gone by now. */
  readonly #tolerant: Map<unknown, ValidateFunction> = new Map();

  constructor(description: Json) {
    // Of several templates that match, the one with the fewest parameters is meant, of these the longest: /containers/json is no
    // container, and x/logs no service.
    const templates = Object.entries(description["paths"] as Json).sort(
      ([a], [b]) => a.split("{").length - b.split("{").length || b.length - a.length,
    );
    this.#paths = templates.map(([template, item]) => ({ template, pattern: pathPattern(template), operations: item as Json }));
    const definitions = Object.entries(description["definitions"] as Record<string, Json>);
    this.#definitions = Object.fromEntries(
      definitions.flatMap(([name, schema]) => [
        [name, open(schema)],
        [closedName(name), closedDefinition(name, schema)],
      ]),
    );
    // Times are empty where there was none.
    this.#ajv.addFormat("moment", /^(|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))$/);
  }

  /** Undefined when the description is not on this machine. */
  static async load(): Promise<ApiDescription | undefined> {
    const text = await readFile(descriptionPath, "utf8").catch(() => undefined);
    return text === undefined ? undefined : new ApiDescription(parse(text) as Json);
  }

  /**
   * @param path with or without version and query
   * @param body the parsed JSON; undefined when there was none
   * @returns what is wrong, a line each; nothing when all is as described
   */
  check(method: string, path: string, status: number, body: unknown): string[] {
    const plain = plainPath(path);
    const operations = this.#find(method, plain)?.operations;
    if (operations === undefined) return [`${method} ${plain} is not described`];
    const operation = operations[method.toLowerCase()] as { responses: Record<string, { schema?: Json }> };
    const response = operation.responses[String(status)] ?? (refusals.includes(status) ? refusal : undefined);
    if (response === undefined) return [`${method} ${plain} does not answer ${status}`];
    const { schema } = response;
    // A body that the description has for a HEAD request is never sent.
    if (method === "HEAD" || schema === undefined || schema["format"] === "binary") return [];
    const validate = this.#validator(schema, minorOf(path) >= oldestExact);
    if (validate(body)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${method} ${plain}${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  }

  /** `/v1.41/containers/abc/json?size=1` → `/containers/{id}/json`; undefined when it is not described. */
  templateOf(method: string, path: string): string | undefined {
    return this.#find(method, plainPath(path))?.template;
  }

  #find(method: string, plain: string): { template: string; operations: Json } | undefined {
    return this.#paths.find(({ pattern, operations }) => pattern.test(plain) && operations[method.toLowerCase()] !== undefined);
  }

  #validator(schema: Json, exact: boolean): ValidateFunction {
    const validators = exact ? this.#validators : this.#tolerant;
    const known = validators.get(schema);
    if (known !== undefined) return known;
    const whole = { ...convert(schema), definitions: this.#definitions };
    const made = this.#ajv.compile(exact ? whole : opened(whole));
    validators.set(schema, made);
    return made;
  }
}
