/** An image: a file tree and how it is run. */
import type { RootFileSystem } from "./root-file-system.ts";

export interface ImageRun {
  /** Numeric, so that a kubelet can see that it is not root. */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingFolder?: string;
}

export interface Image {
  /** With its tag, as a pod names it. */
  readonly name: string;
  readonly tree: RootFileSystem;
  readonly run: ImageRun;
}

/** An image's file name: without what a path cannot have. */
export function fileName(name: string): string {
  return name.replaceAll(/[/:]/g, "-");
}
