import {
  type CelRule,
  type CustomResource,
  ENFORCEMENT_COLUMN,
  nameRules,
  type PrinterColumn,
  STATUS_COLUMNS,
  TARGET_COLUMNS,
  TARGET_RULES,
} from "../core/custom-resource.ts";

/** What both kinds of access policy have in common. */
export const ACCESS_RULES: readonly CelRule[] = [
  {
    at: "spec",
    rule: "self.action != 'Deny' || (has(self.rules) && size(self.rules) > 0)",
    message: "a Deny policy without rules says nothing: to refuse everything, write a rule that has only a name",
  },
  ...nameRules("spec.rules[]"),
];

export const ACTION_COLUMN: PrinterColumn = {
  name: "Action",
  description: "Allow lets in what a rule matches; Deny refuses it.",
  path: ".spec.action",
};

export const accessPolicyResource: CustomResource = {
  columns: [...TARGET_COLUMNS, ACTION_COLUMN, ENFORCEMENT_COLUMN, ...STATUS_COLUMNS],
  rules: [...TARGET_RULES, ...ACCESS_RULES],
  namedLists: ["spec.rules"],
};
