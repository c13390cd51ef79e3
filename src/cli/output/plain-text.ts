/**
 * A name out of an image as it can be shown on a terminal: control characters, what changes the direction of writing, and
 * the backslash itself are escaped as in JSON. Whoever made the image chose the name.
 */
export function plainText(text: string): string {
  return escapeControls(text.replaceAll("\\", "\\\\"));
}

/** The same for a text that is JSON already. */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (letter) =>
    Array.from({ length: letter.length }, (_, at) => `\\u${letter.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}
