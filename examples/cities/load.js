const CITIES_A_COMMIT = 100
const COMMITS_IN_FLIGHT = 16

/** The key of a city: a list of `["city", "DE"]` is a country, of `["city", "DE", "02"]` a region. */
export function cityKey({ country, adminCode, cityId }) {
  return ["city", country, adminCode, cityId]
}

/**
 * Loads the cities, `COMMITS_IN_FLIGHT` commits at a time; `onProgress` gets the number of cities on disk.
 */
export async function load(kv, cities, onProgress) {
  const start = performance.now()
  let next = 0
  let onDisk = 0
  let commits = 0

  async function worker() {
    while (next < cities.length) {
      const batch = cities.slice(next, next + CITIES_A_COMMIT)
      next += batch.length
      await commit(kv, batch)
      commits++
      onDisk += batch.length
      onProgress(onDisk)
    }
  }

  await Promise.all(Array.from({ length: COMMITS_IN_FLIGHT }, worker))
  return { commits, milliseconds: performance.now() - start }
}

/** All or nothing: the cities, an index of them in order of population, and two counters a country. */
async function commit(kv, cities) {
  const atomic = kv.atomic()
  for (const city of cities) {
    const { cityId, name, altName, country, featureCode, population, loc } = city
    const key = cityKey(city)
    atomic
      .set(key, { name, altName, country, featureCode, population, location: loc.coordinates })
      .set(["by-population", population, cityId], key)
      .sum(["count", country], 1)
      .sum(["population", country], population)
  }
  await atomic.commit()
}
