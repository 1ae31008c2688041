// bun snapshot.js <file>: holds a snapshot of the file until its stdin ends, so that a checkpoint copies only
// a part of the log. In a process of its own, by an SQLite of its own.
import { Database } from "bun:sqlite"
import { print } from "../process/children/lines.js"

const db = new Database(process.argv[2])
db.run("BEGIN")
db.query("SELECT count(*) FROM kv_meta").get()
print("held")
process.stdin.resume().once("end", () => {
  db.run("COMMIT")
  db.close(true)
})
