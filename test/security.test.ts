import { test } from "node:test";
import { assertNamedTests } from "./named-tests.ts";

test("docs/security.md names tests that are there", () => assertNamedTests("docs/security.md", 26));
