# Runs one server for as long as the far end of standard input is open, and not a moment longer.
#
#   sh guard.sh FOLDER COMMAND [ARGUMENT…]
#
# The process that starts this holds the write end of the pipe and never writes to it. When it
# closes the pipe, or dies in whatever way (SIGKILL, exit without destructors), `read` below sees
# the end of the file and the server is killed; FOLDER, if it is not empty, is removed then. A
# server that ends by itself ends this script with its status and leaves FOLDER, for its log.
scratch=$1
shift

# Whoever signals all processes at once must not end the guard before its server.
trap '' HUP INT TERM

exec 3<&0 </dev/null
"$@" 3<&- &
server=$!

# USR1 means that the server has ended by itself. It is ignored before the server is killed, so
# this subshell succeeds exactly if it saw the end of the file.
(
  read -r _ <&3
  trap '' USR1
  kill -9 "$server"
  exit 0
) 2>/dev/null &
watch=$!
exec 3<&-

# The shell's notes about jobs that were killed do not belong in the server's log.
exec 2>/dev/null
wait "$server"
status=$?
kill -USR1 "$watch"
if wait "$watch" && [ -n "$scratch" ]; then
  rm -rf "$scratch"
fi
exit "$status"
