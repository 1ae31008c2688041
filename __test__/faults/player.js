// player.js <file> <module> <arguments as JSON>: calls the function that the module exports, and prints what
// it returns.
import { dirname } from "node:path"
import { pathToFileURL } from "node:url"
import { Kv } from "@buntime/keyval"
import { setClock, sweep } from "../../dist/testing.js"
import { printJson } from "../process/children/lines.js"
import { Control } from "./control.js"
import { marker } from "./log.js"

const [, , file, module, args] = process.argv
const { default: program } = await import(pathToFileURL(module).href)
const result = await program({
  Kv,
  file,
  folder: dirname(file),
  args: JSON.parse(args),
  faults: new Control(process.env.KEYVAL_FAULTS_CONTROL),
  mark: marker(process.env.KEYVAL_FAULTS_LOG),
  setClock,
  sweep,
})
printJson(result ?? null)
