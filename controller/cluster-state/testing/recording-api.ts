import type { ApiRequest, KubernetesApi } from "../../kubernetes/api.ts";

/** The same API, of which each call is written down as `<method> <path>`. */
export function recordingApi(api: KubernetesApi, calls: string[]): KubernetesApi {
  const recorded = <Result>(method: string, { path }: ApiRequest, answer: Promise<Result>): Promise<Result> => {
    calls.push(`${method} ${path}`);
    return answer;
  };
  return {
    server: api.server,
    get: (request) => recorded("get", request, api.get(request)),
    create: (request, object) => recorded("create", request, api.create(request, object)),
    replace: (request, object) => recorded("replace", request, api.replace(request, object)),
    patch: (request, type, patch) => recorded("patch", request, api.patch(request, type, patch)),
    delete: (request) => recorded("delete", request, api.delete(request)),
    watch: (request, onEvent) => recorded("watch", request, api.watch(request, onEvent)),
  };
}
