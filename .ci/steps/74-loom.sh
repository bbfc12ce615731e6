# The thread pool in every order that its threads can take. A minute of compiling, half a minute of models.
bash .ci/loom.sh
