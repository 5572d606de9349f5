import { LIMIT_METADATA } from "../../xds-server/envoy/access-log.ts";

/** The header by which a refusing limit tells its name to the `limit-headers` filter; it never leaves the sidecar. */
export const LIMIT_NAME_HEADER = "x-seawall-limit";
/** The header by which an audited limit tells that it would have refused. Callers cannot set it: it is stripped first. */
export const AUDITED_LIMIT_HEADER = "x-seawall-audited-limit";

/**
 * The script of the `limit-headers` filter, which stands outside of all limits and so sees the response last. Every limit
 * appends its own X-RateLimit-* triple: the tightest stays, that is the one with the fewest requests remaining, and of
 * equal ones the one that refills last. Retry-After, which Envoy gives with a 429 only, is the longest of the exhausted
 * ones. The refusing limit's name goes to the access log, if the sidecar itself has answered: a response that came from
 * the application carries the header that the router sets.
 */
export const LIMIT_HEADERS_LUA = `
local function value(headers, name, index)
  return tonumber(headers:getAtIndex(name, index)) or 0
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local limit = headers:get("${LIMIT_NAME_HEADER}")
  if limit ~= nil then
    headers:remove("${LIMIT_NAME_HEADER}")
    if headers:get("x-envoy-upstream-service-time") == nil then
      local metadata = handle:streamInfo():dynamicMetadata()
      metadata:set("${LIMIT_METADATA.namespace}", "${LIMIT_METADATA.policy}", limit)
      metadata:set("${LIMIT_METADATA.namespace}", "${LIMIT_METADATA.verdict}", "limited")
    else
      limit = nil
    end
  end

  local count = headers:getNumValues("x-ratelimit-remaining")
  if headers:getNumValues("x-ratelimit-limit") ~= count or headers:getNumValues("x-ratelimit-reset") ~= count then
    return
  end
  local tightest = nil
  local retry = 0
  for index = 0, count - 1 do
    local triple = {
      limit = headers:getAtIndex("x-ratelimit-limit", index),
      remaining = value(headers, "x-ratelimit-remaining", index),
      reset = value(headers, "x-ratelimit-reset", index),
    }
    if tightest == nil or triple.remaining < tightest.remaining
      or (triple.remaining == tightest.remaining and triple.reset > tightest.reset) then
      tightest = triple
    end
    if triple.remaining == 0 and triple.reset > retry then
      retry = triple.reset
    end
  end
  if count > 1 then
    headers:replace("x-ratelimit-limit", tightest.limit)
    headers:replace("x-ratelimit-remaining", string.format("%d", tightest.remaining))
    headers:replace("x-ratelimit-reset", string.format("%d", tightest.reset))
  end
  if limit ~= nil and count > 0 then
    headers:replace("retry-after", string.format("%d", math.max(retry, 1)))
  end
end
`.trimStart();
