// bun lock-file.js <file>: holds the file's write lock from a line of stdin to the next, as a slow writer of
// another program does.
import { Database } from "bun:sqlite"
import { hear, print } from "../lines.js"

const db = new Database(process.argv[2])
db.exec("PRAGMA busy_timeout = 60000")
let isLocked = false

hear({
  line() {
    db.exec(isLocked ? "COMMIT" : "BEGIN IMMEDIATE")
    isLocked = !isLocked
    print(isLocked ? "locked" : "free")
  },
  end: () => db.close(),
})
print("ready")
