import { accessGoldens } from "../access-policy/testing/goldens.ts";
import { clusterAccessPolicy } from "./index.ts";

accessGoldens(clusterAccessPolicy, import.meta.dirname);
