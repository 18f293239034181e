"""Why a document stands where it does, read off the judgements in a journal: any strategy's, none in particular."""
