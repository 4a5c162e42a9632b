// Compares the results of a suite with the list of tests that are known to fail, and prints the row of the table in the documentation.
//
//   node results.js [--whole] SUITE COMMIT LIST FOLDER
//
// A list has the names of tests, each in a line, below a comment that says why they fail. Where the comment begins with "Not
// applicable", what they test is no part of the project. --whole: all tests were run, so each one that is listed has to be among them.
const fs = require('node:fs')
const path = require('node:path')

const given = process.argv.slice(2)
const whole = given[0] === '--whole' && given.shift()
const [suite, commit, list, folder] = given

const known = new Map()
let reason = ''
let inComment = false
for (const line of fs.readFileSync(list, 'utf8').split('\n')) {
  if (line.startsWith('#')) {
    reason = inComment ? `${reason} ${line.slice(1).trim()}` : line.slice(1).trim()
    inComment = true
  } else {
    inComment = false
    if (line) known.set(line, reason)
  }
}

const files = fs.readdirSync(folder)
const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8')
const noted = new Set()
const prepared = new Set()
for (const name of files.filter((name) => /^requests-.*\.txt$/.test(name))) {
  for (const line of read(name).split('\n').filter(Boolean)) {
    const [file, test] = JSON.parse(line)
    if (test === null) prepared.add(file)
    else noted.add(`${file} ${test}`)
  }
}

const counts = { with: {}, without: {} }
const add = (kind, what) => { counts[kind][what] = (counts[kind][what] ?? 0) + 1 }
const seen = new Set()
let wrong = 0
const complain = (text) => { wrong++; console.log(text) }
const reasons = new Map()
for (const name of files.filter((name) => /^results-.*\.json$/.test(name))) {
  for (const file of JSON.parse(read(name)).testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) {
      complain(`NOT RUN ${file.name}\n${file.message.slice(0, 800)}\n`)
    }
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      seen.add(fullName)
      // A test whose preparation failed at the host has sent nothing itself.
      const kind = noted.has(`${file.name} ${fullName}`) || (status === 'failed' && prepared.has(file.name)) ? 'with' : 'without'
      const why = known.get(fullName)
      if (status === 'passed') {
        add(kind, 'passed')
        if (why !== undefined) complain(`PASSES, and is listed as known to fail: ${fullName}`)
      } else if (status === 'failed' && why === undefined) {
        add(kind, 'failed')
        complain(`FAILED ${fullName}\n${failureMessages.join('\n').slice(0, 1500)}\n`)
      } else if (status === 'failed') {
        add(kind, why.startsWith('Not applicable') ? 'none' : 'known')
        reasons.set(why, (reasons.get(why) ?? 0) + 1)
      } else {
        add(kind, 'skipped')
      }
    }
  }
}
if (whole) {
  for (const name of known.keys()) if (!seen.has(name)) complain(`NOT FOUND, and is listed as known to fail: ${name}`)
}

for (const [why, count] of reasons) console.log(`${count} failed: ${why}`)
const of = (kind, what) => counts[kind][what] ?? 0
const all = (kind) => Object.entries(counts[kind]).reduce((sum, [, count]) => sum + count, 0)
const failed = (kind) => of(kind, 'known') + of(kind, 'failed')
console.log('| suite | tests that ask a server | passed | failed | not applicable | skipped by the suite | tests that need no server | passed |')
console.log(`| ${suite} ${commit} | ${all('with')} | ${of('with', 'passed')} | ${failed('with')} | ${of('with', 'none')} | ${of('with', 'skipped') + of('without', 'skipped')} | ${all('without') - of('without', 'skipped')} | ${of('without', 'passed')} |`)
process.exit(wrong > 0 ? 1 : 0)
