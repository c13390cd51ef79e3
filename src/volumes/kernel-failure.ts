/** Errno and text of a failed operation of the kernel port, if it is one. */
export function failureOf(error: unknown): { readonly errno: number; readonly message: string } | undefined {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== "object" || cause === null || !("errno" in cause) || typeof cause.errno !== "number") return undefined;
  return { errno: cause.errno, message: "message" in cause ? String(cause.message) : "" };
}
