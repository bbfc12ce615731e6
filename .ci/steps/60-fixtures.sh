# The committed data is what it says it is. (fixtures/make_tiny.py --check compares the tiny models too, but needs
# PyTorch; run it when you touch them.)
. .ci/lib.sh
python3 fixtures/check_questions.py
