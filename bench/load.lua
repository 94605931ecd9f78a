-- What wrk sends, and the check of every single answer. A wrong answer is one without status 200,
-- without the whole sentence, or, where it is streamed, without its last event.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

-- Arguments: stream or whole, the body to send, the sentence to expect, keep or close connections.
function init(args)
  stream = args[1] == "stream"
  sentence = args[3]
  wrong = 0
  sample = ""
  wrk.method = "POST"
  wrk.body = args[2]
  wrk.headers["Content-Type"] = "application/json"
  if args[4] == "close" then wrk.headers["Connection"] = "close" end
end

local function isRight(status, body)
  if status ~= 200 then return false end
  if not stream then return string.find(body, sentence, 1, true) ~= nil end
  if string.find(body, "data: [DONE]", 1, true) == nil then return false end
  local words = {}
  for word in string.gmatch(body, '"content":"([^"]*)"') do
    words[#words + 1] = word
  end
  return string.find(table.concat(words), sentence, 1, true) ~= nil
end

function response(status, headers, body)
  if isRight(status, body) then return end
  wrong = wrong + 1
  if sample == "" then
    sample = status .. " " .. string.gsub(string.sub(body, 1, 300), "[^%w%p ]", " ")
  end
end

function done(summary, latency, requests)
  local wrongs = 0
  local first = ""
  for _, thread in ipairs(threads) do
    wrongs = wrongs + thread:get("wrong")
    if first == "" then first = thread:get("sample") end
  end
  local errors = summary.errors
  io.write(string.format(
    "\nbench requests=%d duration_us=%d wrong=%d broken=%d timeout=%d p50_us=%d p99_us=%d\n",
    summary.requests, summary.duration, wrongs, errors.connect + errors.read + errors.write,
    errors.timeout, latency:percentile(50), latency:percentile(99)))
  if first ~= "" then io.write("bench sample " .. first .. "\n") end
end
