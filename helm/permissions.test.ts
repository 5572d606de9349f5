import { describe, expect, it } from "@jest/globals";
import { unusedPermissions } from "./permissions.ts";

describe("the permissions that an audit log shows no use of", () => {
  const user = { username: "system:serviceaccount:seawall-system:seawall" };

  it("are those that no request needed", () => {
    const unused = unusedPermissions([
      { verb: "list", user, requestURI: "/api/v1/pods?limit=500", objectRef: { resource: "pods" } },
      { verb: "get", user, requestURI: "/openid/v1/jwks" },
      {
        verb: "watch",
        user,
        requestURI: "/api/v1/namespaces/seawall-system/secrets?fieldSelector=metadata.name%3Dseawall-ca&watch=true",
        objectRef: { resource: "secrets", namespace: "seawall-system" },
      },
      { verb: "patch", user, requestURI: "/x", objectRef: { resource: "configmaps", namespace: "shop", name: "seawall-trust" } },
      { verb: "get", user, requestURI: "/x", objectRef: { resource: "secrets", namespace: "shop", name: "seawall-ca" } },
    ]).map(({ verb, what }) => `${verb} ${what}`);
    expect(unused).not.toEqual(expect.arrayContaining(["list pods"]));
    expect(unused).not.toEqual(expect.arrayContaining(["get /openid/v1/jwks"]));
    expect(unused).not.toEqual(expect.arrayContaining(["watch secrets"]));
    expect(unused).not.toEqual(expect.arrayContaining(["patch configmaps"]));
    expect(unused).toEqual(expect.arrayContaining(["watch pods", "get secrets"]));
  });
});
