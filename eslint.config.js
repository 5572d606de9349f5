import boundaries from "eslint-plugin-boundaries";
import tseslint from "typescript-eslint";

/**
 * The import layers of the house, in the order of docs/concepts/architecture.md. An element may import what its rule
 * lists and itself; everything else is refused.
 */
const elements = [
  { type: "xds-gen", pattern: "xds-server/gen", mode: "folder" },
  { type: "xds-envoy", pattern: "xds-server/envoy", mode: "folder" },
  { type: "xds-delta", pattern: "xds-server/delta", mode: "folder" },
  { type: "kind-core", pattern: "crds/core", mode: "folder" },
  { type: "kind", pattern: "crds/*", mode: "folder", capture: ["kind"] },
  { type: "kinds-list", pattern: "crds/kinds.ts", mode: "full" },
  { type: "collections", pattern: "controller/collections", mode: "folder" },
  { type: "model", pattern: "controller/model", mode: "folder" },
  { type: "sources", pattern: "controller/sources", mode: "folder" },
  { type: "mesh", pattern: "controller/mesh", mode: "folder" },
  { type: "controller", pattern: "controller/*.ts", mode: "full" },
  { type: "controller-part", pattern: "controller/*", mode: "folder", capture: ["part"] },
  { type: "ca", pattern: "ca", mode: "folder" },
  { type: "cli", pattern: "cli", mode: "folder" },
  { type: "tools", pattern: "tools", mode: "folder" },
  { type: "e2e", pattern: "e2e", mode: "folder" },
  { type: "bench", pattern: "bench", mode: "folder" },
  { type: "examples", pattern: "examples", mode: "folder" },
];
const allow = {
  "xds-gen": [],
  "xds-envoy": ["xds-gen", "kind-core"],
  "xds-delta": ["xds-gen"],
  "kind-core": [],
  kind: ["xds-gen", "xds-envoy", "kind-core"],
  "kinds-list": ["kind", "kind-core"],
  collections: [],
  model: ["collections", "kind-core"],
  sources: ["collections", "model", "kind-core", "kind", "kinds-list"],
  mesh: ["collections", "model", "sources", "kind-core", "kind", "kinds-list", "xds-envoy", "xds-gen"],
  controller: [
    "collections",
    "model",
    "sources",
    "mesh",
    "controller-part",
    "kind-core",
    "kind",
    "kinds-list",
    "xds-envoy",
    "xds-delta",
    "xds-gen",
    "ca",
  ],
  "controller-part": ["collections", "model", "sources", "mesh", "kind-core", "kind", "kinds-list", "xds-delta", "ca"],
  ca: [],
  cli: ["*"],
  tools: [],
  e2e: ["*"],
  bench: ["*"],
  examples: ["*"],
};

export default tseslint.config(
  { ignores: ["node_modules", "dist", "xds-server/gen", "**/*.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    plugins: { boundaries },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      "boundaries/elements": elements,
      "import/resolver": { typescript: { project: "./tsconfig.json" } },
    },
    rules: {
      "boundaries/element-types": [
        "error",
        { default: "disallow", rules: Object.entries(allow).map(([from, to]) => ({ from: [from], allow: [from, ...to] })) },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "no-restricted-syntax": ["error", { selector: "TSEnumDeclaration", message: "Use a union of literals: enums cannot be stripped." }],
      eqeqeq: "error",
    },
  },
  {
    files: ["crds/*/evaluate.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { group: ["**/translate*", "**/xds-server/**"], message: "evaluate is the oracle: it may not know how Envoy is configured." },
          ],
        },
      ],
    },
  },
  {
    files: ["**/*.test.ts", "e2e/**", "bench/**"],
    rules: {
      "boundaries/element-types": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
