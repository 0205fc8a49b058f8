package io.plora.data;

import java.util.List;

/**
 * Questions of a choice task, evaluated by the log-likelihood of the candidate answers after the prompt.
 *
 * @param name of the source, for messages
 * @param questions in the source's order
 * @param candidateNames the label of each candidate in the data
 * @param truncated how many prompts lost their beginning because they were too long
 * @param skipped how many questions were left out because they were too long
 */
public record ChoiceSet(
        String name, List<ChoiceQuestion> questions, List<String> candidateNames, int truncated, int skipped) {

    public ChoiceSet {
        questions = List.copyOf(questions);
        candidateNames = List.copyOf(candidateNames);
    }

    public int size() {
        return questions.size();
    }
}
