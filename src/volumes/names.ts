import { invalidParameter } from "../base/base.ts";

const allowed = "[a-zA-Z0-9][a-zA-Z0-9_.-]";
const pattern = new RegExp(`^${allowed}+$`);
/** A volume's name is that of a directory (NAME_MAX). */
const maxBytes = 255;

/** @throws InvalidParameter in the words of Docker's local driver */
export function checkVolumeName(name: string): void {
  if (name.length === 1)
    throw invalidParameter(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`);
  if (!pattern.test(name))
    throw invalidParameter(
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only ${JSON.stringify(allowed)} are allowed. If you intended to pass a host directory, use absolute path`,
    );
  if (name.length > maxBytes)
    throw invalidParameter(`create ${name}: volume name is too long, names should be at most ${maxBytes} characters`);
}
