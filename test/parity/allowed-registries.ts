/** The same of pulls and pushes. */
import type { AllowedDifference } from "./compare.ts";

const removed =
  "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. " +
  "Suggest the author of <odd>/x/y:old to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. " +
  "More information at https://docs.docker.com/go/deprecated-image-specs/";

/** One line for another. */
const line = (where: string, docker: string, berth: string, reason: string): AllowedDifference => ({
  where: `registries: ${where}`,
  docker: [docker],
  berth: [berth],
  reason,
});

export const allowedOfRegistries: readonly AllowedDifference[] = [
  line(
    "docker pull $ODD/x/y:old",
    "! Error response from daemon: missing signature key",
    `! Error response from daemon: ${removed}`,
    "schema 1 is refused by name, as Docker 28 does",
  ),
  line(
    "docker pull $ODD/x/y:both",
    "! Error response from daemon: ocimanifest: expected manifest but found index",
    '! Error response from daemon: image manifest: has "manifests", which makes it ambiguous (CVE-2021-41190)',
    "the error says what is wrong with it",
  ),
  line(
    "docker pull $ODD/x/y:type",
    "! Error response from daemon: missing signature key",
    '! Error response from daemon: unsupported manifest media type "application/x.y"',
    "what is not known is not taken for schema 1",
  ),
  ...["docker pull --platform linux/s390x $OPEN/x/y:one", "docker pull --platform linux/s390x -q $OPEN/x/y:one"].map((where) =>
    line(
      where,
      "! image with reference <open>/x/y:one was found but does not match the specified platform: wanted linux/s390x, actual: linux/amd64",
      "! image with reference <open>/x/y:one was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)",
      "Docker 28's words",
    ),
  ),
  line(
    "docker push $OPEN/again:1 | sed 's/^[0-9a-f]\\{12\\}: /layer: /' | sort",
    "> 1: digest: sha256:<id> size: 936",
    "> 1: digest: sha256:<id 4.1> size: 703",
    "what was pulled goes out with the manifest that it came with",
  ),
];
