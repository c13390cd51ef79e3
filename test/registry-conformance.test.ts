import { test } from "node:test";
import { assertNamedTests } from "./named-tests.ts";

test("docs/registry-conformance.md names tests that are there", () => assertNamedTests("docs/registry-conformance.md", 39));
