// bun sql.js <file> <JSON list of statements>: prints the rows of each as JSON. A missing file is created.
// A process of its own: another SQLite library in a process that has the file open would drop its locks.
import { Database } from "bun:sqlite"

const [file, statements] = process.argv.slice(2)

function readable(_key, value) {
  return typeof value === "bigint" ? String(value) : value
}

const db = new Database(file)
const rows = JSON.parse(statements).map((statement) => db.query(statement).all())
db.close(true)
console.log(JSON.stringify(rows, readable))
