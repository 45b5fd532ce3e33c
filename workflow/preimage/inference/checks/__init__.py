"""Evidence about answers of inference, one check a module: pure functions of draws, weights and samples.

Which check sees what, for the answers that a method gives to many sets of samples whose parameters are known:

| answers that are                    | ranks (SBC) | coverage | TARP, far references | TARP, near references |
|-------------------------------------|-------------|----------|----------------------|-----------------------|
| exact                               | pass        | pass     | pass                 | pass                  |
| too narrow, too wide                | fail        | fail     | fail                 | fail                  |
| shifted to one side                 | fail        | may pass | fail                 | may pass              |
| right in each margin, wrong jointly | pass        | fail     | may pass             | may pass              |
| the prior, whatever the data        | pass        | pass     | pass                 | fail                  |

Far references know nothing of the samples, near ones are guesses from these (`tarp.near`). What returns the prior also
fails SBC with the log likelihood as one more quantity (`sbc.ranks`), and `identifiability` says that it learnt nothing.
None of the columns sees everything: all are to be looked at. About one set of samples whose parameters are not known,
`predictive` and `misspecification` speak, and `c2st` where there are draws of the true posterior.
"""
