import { runSuites } from "./suites/index.js"
import { targets } from "./support/targets.js"

runSuites(targets.memory)
