/** The bodies of requests about networks. */
import { invalidParameter } from "../base/base.ts";
import type { EndpointSettings, NetworkCreateRequest } from "../spec/spec.ts";
import { fitFields } from "./request-shape.ts";
import { connectShape, disconnectShape, networkCreateShape } from "./request-shapes-table.ts";

type Body = Record<string, unknown> | undefined;

/** Since when the API has them: minor versions. */
const ipv4SwitchSince = 48;
export const gatewayPrioritySince = 48;

function given(body: Body): Record<string, unknown> {
  if (body === undefined) throw invalidParameter("invalid JSON: got EOF while reading request body");
  return body;
}

/** The body of `POST /networks/create`. @throws InvalidParameter when there is none, or a field has the wrong type */
export function networkCreateRequest(body: Body, minor: number): NetworkCreateRequest {
  // A name is always looked for: whoever asks for that says nothing.
  const { CheckDuplicate: _, ...request } = fitFields(given(body), networkCreateShape, "CreateRequest");
  if (minor < ipv4SwitchSince) delete request["EnableIPv4"];
  return { Name: "", ...request };
}

/** The body of `POST /networks/x/connect`. */
export function connectRequest(body: Body, minor: number): { container: string; settings: EndpointSettings } {
  const request = fitFields(given(body), connectShape, "ConnectOptions") as { Container?: string; EndpointConfig?: EndpointSettings };
  const { GwPriority, ...settings } = request.EndpointConfig ?? {};
  const priority = minor < gatewayPrioritySince || GwPriority === undefined ? {} : { GwPriority };
  return { container: request.Container ?? "", settings: { ...settings, ...priority } };
}

/** The body of `POST /networks/x/disconnect`. */
export function disconnectRequest(body: Body): { container: string; force: boolean } {
  const request = fitFields(given(body), disconnectShape, "DisconnectOptions") as { Container?: string; Force?: boolean };
  return { container: request.Container ?? "", force: request.Force ?? false };
}
