import Type, { type Static } from "typebox";
import { Except, From, To, When } from "../match.ts";

/** One rule: who may (or may not) call what, under which circumstances, and what is left out of it. */
export const Rule = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 63, description: "What logs, metrics and explain call this rule. Unique in the policy." }),
    from: Type.Optional(Type.Array(From, { minItems: 1, maxItems: 64, description: "Who calls: any of these. Without it: anyone." })),
    to: Type.Optional(Type.Array(To, { minItems: 1, maxItems: 64, description: "What is called: any of these. Without it: anything." })),
    when: Type.Optional(When),
    except: Type.Optional(
      Type.Array(Except, { minItems: 1, maxItems: 64, description: "Requests that the rule does not speak of: any of these." }),
    ),
  },
  { additionalProperties: false },
);
export type Rule = Static<typeof Rule>;
