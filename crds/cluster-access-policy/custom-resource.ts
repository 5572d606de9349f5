import { ACCESS_RULES, ACTION_COLUMN } from "../access-policy/index.ts";
import { type CustomResource, ENFORCEMENT_COLUMN, selectorRules, STATUS_COLUMNS } from "../core/custom-resource.ts";

export const clusterAccessPolicyResource: CustomResource = {
  columns: [ACTION_COLUMN, ENFORCEMENT_COLUMN, ...STATUS_COLUMNS],
  rules: [...selectorRules("spec.targetNamespaces"), ...selectorRules("spec.targetSelectors[]"), ...ACCESS_RULES],
  namedLists: ["spec.rules"],
};
