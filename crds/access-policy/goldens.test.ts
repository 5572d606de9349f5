import { accessPolicy } from "./index.ts";
import { accessGoldens } from "./testing/goldens.ts";

accessGoldens(accessPolicy, import.meta.dirname);
