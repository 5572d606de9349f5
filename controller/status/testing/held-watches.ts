import type { KubernetesApi, WatchEvent } from "../../kubernetes/api.ts";

/** The same API, whose watches tell nothing while they are held, as of a replica that is behind. */
export class HeldWatches {
  readonly api: KubernetesApi;
  /** What is to be told later; undefined while nothing is held. */
  #kept: (() => void)[] | undefined;

  constructor(api: KubernetesApi) {
    const tell = (event: WatchEvent, onEvent: (event: WatchEvent) => void): void => {
      if (this.#kept === undefined) onEvent(event);
      else this.#kept.push(() => onEvent(event));
    };
    this.api = {
      server: api.server,
      get: (request) => api.get(request),
      create: (request, object) => api.create(request, object),
      replace: (request, object) => api.replace(request, object),
      patch: (request, type, patch) => api.patch(request, type, patch),
      delete: (request) => api.delete(request),
      watch: (request, onEvent) => api.watch(request, (event) => tell(event, onEvent)),
    };
  }

  hold(): void {
    this.#kept ??= [];
  }

  release(): void {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const tell of kept) tell();
  }
}
