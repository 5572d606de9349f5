import {
  type CustomResource,
  ENFORCEMENT_COLUMN,
  nameRules,
  STATUS_COLUMNS,
  TARGET_COLUMNS,
  TARGET_RULES,
} from "../core/custom-resource.ts";
import { REFUSAL_STATUSES } from "./schema.ts";

export const rateLimitPolicyResource: CustomResource = {
  columns: [...TARGET_COLUMNS, ENFORCEMENT_COLUMN, ...STATUS_COLUMNS],
  rules: [
    ...TARGET_RULES,
    ...nameRules("spec.limits[]"),
    {
      at: "spec.limits[].window",
      rule: "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",
      message: "is not a duration such as 1m or 90s",
    },
    {
      at: "spec.limits[].per[]",
      rule: "has(self.name) == (self.type in ['Header', 'Claim'])",
      message: "Header and Claim need a name; Identity and Address have none",
    },
    {
      at: "spec.limits[].per[]",
      rule: "has(self.issuer) == (self.type == 'Claim')",
      message: "Claim needs the issuer whose token it is of; nothing else has one",
    },
    {
      at: "spec.limits[].onExceed",
      rule: `!has(self.status) || self.status in [${REFUSAL_STATUSES.join(", ")}]`,
      message: `only ${REFUSAL_STATUSES.join(", ")} say that the caller came too often`,
    },
  ],
  namedLists: ["spec.limits"],
};
