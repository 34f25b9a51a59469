-- Requests for wrk: each asks for the vectors of the next TEXTS lines of the file LINES, written as ENCODING.
--
--   LINES=texts.txt TEXTS=1024 ENCODING=base64 \
--     wrk -t1 -c64 -d60s --latency -s serve/benches/load.lua http://127.0.0.1:8080
--
-- The service takes 32 times its --max-texts at once; what it refuses, wrk counts as "Non-2xx".

local texts, encoding = tonumber(os.getenv("TEXTS") or 1), os.getenv("ENCODING") or "float"
local escapes = function(character)
  return string.format("\\u%04x", character:byte())
end

local bodies, input = {}, {}
for line in io.lines(os.getenv("LINES")) do
  input[#input + 1] = '"' .. line:gsub('[%c"\\]', escapes) .. '"'
  if #input == texts then
    bodies[#bodies + 1] = '{"input":[' .. table.concat(input, ",") .. '],"encoding_format":"' .. encoding .. '"}'
    input = {}
  end
end

wrk.method = "POST"
wrk.path = "/v1/embeddings"
wrk.headers["Content-Type"] = "application/json"
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
