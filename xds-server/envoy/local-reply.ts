import type { MessageInitShape } from "@bufbuild/protobuf";
import { ExpressionFilterSchema } from "../gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import type { LocalReplyConfigSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { any } from "./any.ts";

/**
 * Corrects what Envoy's own answers say. jwt_authn answers 403 to a token for another audience, though no other proof was
 * given: the caller is not known, which is 401 (RFC 6750 section 3.1, invalid_token). The answer's body and the log keep
 * saying why.
 */
export const LOCAL_REPLIES: MessageInitShape<typeof LocalReplyConfigSchema> = {
  mappers: [
    {
      filter: {
        filterSpecifier: {
          case: "extensionFilter",
          value: {
            name: "envoy.access_loggers.extension_filters.cel",
            configType: {
              case: "typedConfig",
              value: any(ExpressionFilterSchema, {
                expression: "response.code_details == 'jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}'",
              }),
            },
          },
        },
      },
      statusCode: 401,
    },
  ],
};
