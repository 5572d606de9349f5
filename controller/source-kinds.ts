import { KINDS } from "../crds/kinds.ts";

/** The kinds that standalone mode reads from its folder. */
export const SOURCE_KINDS: readonly string[] = [
  "Namespace",
  "ServiceAccount",
  "Pod",
  "Service",
  "EndpointSlice",
  "Secret",
  "ConfigMap",
  ...KINDS.map((kind) => kind.kind),
];
