"""The shop: one realistic service in two editions with one contract.

`sick` makes the classic mistakes, each on a line marked `# culprit: <cause>`; `cured` is what one
would run in production. `lab.shop.run` starts either with everything that it needs.
"""
