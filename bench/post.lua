-- Each POST comes from the next of the accounts, whose keys are in the file that is named first; the body is the second.
local requests = {}
local next_request = 0

function init(args)
  for key in io.lines(args[1]) do
    local headers = { ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json" }
    requests[#requests + 1] = wrk.format("POST", wrk.path, headers, args[2])
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
