/** Where Berth does not answer as Docker 26.1 does, and why. A line that is no longer needed fails the test. */
import type { AllowedDifference } from "./compare.ts";

const masked = 'masks what Docker 28 masks: /proc/interrupts too, in that version\'s order';
const notFoundExit = "since Docker 28 a program that is not found ends an exec with 127, as it does a run";
const driver = "the storage driver is Berth's own";
const ipv6 = "ports are published on IPv4 only";
const sandbox = "the namespace has no file of its own; it is reached through the running container's first process";
const version = "images do not carry the version of the engine that made them";

export const allowed: readonly AllowedDifference[] = [
  { docker: ['>     Driver: "overlay2",'], berth: ['>     Driver: "erofs",'], reason: driver },
  { docker: ['>       Name: "overlay2"'], berth: ['>       Name: "erofs"'], reason: driver },
  { docker: [">       Data: <data>,", '>       Name: "overlay2"'], berth: [">       Data: {},", '>       Name: "erofs"'], reason: driver },
  { docker: [">     DockerVersion: <version>,"], berth: ['>     DockerVersion: "",'], reason: version },
  ...["", "  ", "    "].flatMap((indent) => [
    { docker: [`> ${indent}  "/proc/asound",`], berth: [], reason: masked },
    { docker: [], berth: [`> ${indent}  "/proc/asound",`, `> ${indent}  "/proc/interrupts",`], reason: masked },
  ]),
];
