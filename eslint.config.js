import tseslint from "typescript-eslint";

/**
 * The layers of the house: which folders each may import from. Imports are relative, so a layer is recognised by the
 * folder that stands in the import's path. A folder that is not listed for a layer is refused there.
 */
const FOLDERS = {
  gen: "/gen/(envoy|google|udpa|validate|xds)/",
  envoy: "(^|/)(xds-server|\\.\\.)/envoy/",
  delta: "(^|/)delta/",
  core: "(^|/)core/",
  kinds: "(^|/)crds/(?!core/)|^\\.\\./[a-z-]+-(policy|config|route)/",
  collections: "(^|/)collections/",
  model: "(^|/)model/",
  sources: "(^|/)sources/",
  mesh: "(^|/)mesh/",
  ca: "(^|/)ca/",
  controller: "(^|/)controller/(main|xds-feed|admin/)|^\\.\\./admin/",
  cli: "(^|/)cli/",
  tools: "(^|/)tools/",
};
const LAYERS = [
  { files: "xds-server/envoy", may: ["gen", "core", "envoy"] },
  { files: "xds-server/delta", may: ["gen", "delta"] },
  { files: "crds/core", may: ["core"] },
  { files: "crds/!(core)", may: ["gen", "envoy", "core", "kinds"] },
  { files: "controller/collections", may: ["collections"] },
  { files: "controller/model", may: ["collections", "model", "core"] },
  { files: "controller/sources", may: ["collections", "model", "sources", "core", "kinds"] },
  { files: "controller/mesh", may: ["collections", "model", "sources", "mesh", "core", "kinds", "envoy", "delta", "gen"] },
  { files: "controller/injector", may: ["gen", "envoy", "core", "model"] },
  { files: "controller/admission", may: ["collections", "model", "sources", "mesh", "core", "kinds", "ca"] },
  { files: "ca", may: ["ca"] },
];

/** Compiling the shared match language to Envoy is the one part of crds/core that knows Envoy; contributions are typed by it. */
const CORE_WITH_ENVOY = ["crds/core/match/translate*.ts", "crds/core/contribution.ts"];

function restricted(may) {
  const patterns = Object.entries(FOLDERS)
    .filter(([folder]) => !may.includes(folder))
    .map(([folder, regex]) => ({ regex, message: `This layer may not import from ${folder}: see LAYERS in eslint.config.js.` }));
  return ["error", { patterns }];
}

export default tseslint.config(
  { ignores: ["node_modules", "dist", "xds-server/gen", "**/*.js", "**/*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "no-restricted-syntax": ["error", { selector: "TSEnumDeclaration", message: "Use a union of literals: enums cannot be stripped." }],
      eqeqeq: "error",
      // A protobuf oneof is one union: a deprecated member makes the rule refuse every other member too.
      "@typescript-eslint/no-deprecated": "off",
    },
  },
  ...LAYERS.map(({ files, may }) => ({
    files: [`${files}/**/*.ts`],
    ignores: ["**/*.test.ts", "**/*.e2e.ts", "**/testing/**", ...CORE_WITH_ENVOY],
    rules: { "no-restricted-imports": restricted(may) },
  })),
  { files: CORE_WITH_ENVOY, rules: { "no-restricted-imports": restricted(["gen", "envoy", "core"]) } },
  {
    // evaluate is the oracle: it may not know how Envoy is configured.
    files: ["crds/*/evaluate*.ts", "crds/core/match/evaluate*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "translate|xds-server", message: "evaluate is the oracle: it may not know how Envoy is configured." }] },
      ],
    },
  },
  {
    files: ["**/*.test.ts", "**/*.e2e.ts", "e2e/**", "bench/**", "**/testing/**"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
);
