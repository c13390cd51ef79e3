import { invalidParameter } from "../base/base.ts";
import type { ContainerUpdateRequest } from "../spec/spec.ts";
import { fitFields } from "./request-shape.ts";
import { updateShape } from "./request-shapes-table.ts";

/**
 * The body of `POST /containers/x/update`.
 * @throws InvalidParameter when there is none, or a field has the wrong type
 */
export function updateRequest(body: Record<string, unknown> | undefined, minor: number): ContainerUpdateRequest {
  if (body === undefined) throw invalidParameter("invalid JSON: got EOF while reading request body");
  const request: Record<string, unknown> = fitFields(body, updateShape, "UpdateConfig");
  if (minor < 40) delete request["PidsLimit"];
  return request;
}
