import type { JsonObject } from "@bufbuild/protobuf";

/**
 * Runtime settings that every sidecar starts with. By default Envoy refuses a regular expression that compiles to more
 * than 100 steps, and with it the whole listener or route table: a path of 90 letters would do. RE2 takes time linear in
 * what it reads, however large the expression is, so the bound is only about memory.
 */
export const SIDECAR_RUNTIME: JsonObject = {
  "re2.max_program_size.error_level": 10_000,
  "re2.max_program_size.warn_level": 10_000,
};
